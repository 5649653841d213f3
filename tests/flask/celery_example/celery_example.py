"""Flask's Celery example, with as much of Celery as it uses played in process.

Run by test_flask_suite.py in every way; not collected by our own suite.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import flask

results: list[Any] = []


class Task:
    """Runs its function; the example's subclass pushes an application context first."""

    run: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)


class Celery:
    """The application object: remembers the task class of the example."""

    task_cls: type[Task] = Task

    def __init__(self, name: str, task_cls: type[Task]) -> None:
        self.name = name
        Celery.task_cls = task_cls

    def config_from_object(self, settings: dict[str, str]) -> None:
        assert settings["task_ignore_result"] is True

    def set_default(self) -> None:
        """There is only one."""


class AsyncResult:
    """The outcome of a task that has run already."""

    def __init__(self, id: str) -> None:
        self.result = results[int(id)]

    def ready(self) -> bool:
        return True

    def successful(self) -> bool:
        return True

    def get(self) -> Any:
        return self.result


def shared_task(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that gives the function a `delay`, which runs it at once."""

    def delayed(function: Callable[..., Any], *args: Any) -> Any:
        def run(*values: Any) -> Any:
            # Inside the context the example's FlaskTask pushes.
            return function(*values), flask.current_app.name

        results.append(type("T", (Celery.task_cls,), {"run": staticmethod(run)})()(*args))
        return types.SimpleNamespace(id=str(len(results) - 1))

    return lambda function: types.SimpleNamespace(delay=lambda *a: delayed(function, *a))


sys.modules["celery"] = types.ModuleType("celery")
vars(sys.modules["celery"]).update(Celery=Celery, Task=Task, shared_task=shared_task)
sys.modules["celery.result"] = types.ModuleType("celery.result")
vars(sys.modules["celery.result"]).update(AsyncResult=AsyncResult)


def test_page_and_task() -> None:
    """The page renders; a posted task runs in an application context; its result is read."""
    from make_celery import flask_app

    client = flask_app.test_client()

    assert client.get("/").status_code == 200
    sent = client.post("/tasks/add", data={"a": "2", "b": "3"}).json
    assert sent == {"result_id": "0"}
    assert client.get("/tasks/result/0").json == {
        "ready": True,
        "successful": True,
        "value": [5, "task_app"],
    }
