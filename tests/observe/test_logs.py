"""Standard logging in the shape of the request lines."""

import contextlib
import json
import logging
import os
import sys

import pytest
from flask import Flask
from flask.logging import default_handler

from carboy.observe import logs
from carboy.observe.sink import Sink


class Memory:
    """A sink that keeps what it is given."""

    def flush(self, wait=True):
        """Nothing is held."""

    def __init__(self):
        self.written = []

    def write(self, line):
        self.written.append(line)


@contextlib.contextmanager
def bare_root():
    """Take all handlers off the root logger; pytest adds its own for each test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture
def logger():
    """A logger of its own, with nothing attached."""
    logger = logging.Logger("shop")
    logger.memory = Memory()
    logger.addHandler(logs.SinkHandler(logger.memory, logs.JsonFormatter()))
    return logger


def last(logger):
    """Return the last line, as JSON."""
    line = logger.memory.written[-1]
    assert line.count(b"\n") == 1
    return json.loads(line)


def test_a_record_has_the_members_of_a_request_line(logger):
    """Time, level and event come first, then logger and message."""
    logger.warning("paid %s", 3)

    line = last(logger)
    assert list(line) == ["time", "level", "event", "logger", "message"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["event"], line["message"]) == ("warning", "log", "paid 3")


def test_a_record_knows_the_request_it_came_from(logger):
    """The id ties it to the request line and to the answer."""
    with Flask("x").test_request_context(environ_overrides={"carboy.id": "abc-1"}):
        logger.info("here")
    logger.info("outside")

    assert json.loads(logger.memory.written[0])["id"] == "abc-1"
    assert "id" not in last(logger)


def test_extra_fields_are_members_and_secrets_are_masked(logger):
    """A field never hides a member of ours."""
    logger.info("x", extra={"order": 7, "password": "hunter2", "form": {"token": "t"}, "level": 3})

    line = last(logger)
    assert (line["order"], line["password"], line["form"]) == (7, "***", {"token": "***"})
    assert (line["level"], line["extra_level"]) == ("info", 3)


def test_an_exception_is_text_in_one_line(logger):
    """The traceback keeps its lines, the log line stays one."""
    try:
        raise ValueError("no\nway postgresql://app:hunter2@db/x")
    except ValueError:
        logger.exception("failed")

    text = last(logger)["exception"]
    assert "ValueError: no\nway postgresql://app:***@db/x" in text
    assert text.startswith("Traceback")


def test_a_stack_is_text_too(logger):
    """stack_info=True of the standard library."""
    logger.info("here", stack_info=True)

    assert "test_a_stack_is_text_too" in last(logger)["stack"]


class Broken:
    """A value that cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [Broken(), object(), float("nan"), {1: {2: 3}}, "\ud800", b"\xff", {("a", "b"): 1}],
    ids=["broken str", "object", "nan", "int keys", "surrogate", "bytes", "tuple key"],
)
def test_any_value_can_be_logged(logger, value):
    """What JSON does not know becomes text."""
    logger.info("x", extra={"value": value})

    assert "value" in last(logger)


def test_a_log_call_with_wrong_arguments_ends_nothing(logger, monkeypatch):
    """The standard library's rule: logging does not raise into the program."""
    monkeypatch.setattr(logging, "raiseExceptions", False)

    logger.info("%d", "no number")

    assert logger.memory.written == []


def test_control_characters_do_not_reach_a_terminal():
    """Text lines show them instead."""
    record = logging.makeLogRecord({"msg": "a\x1b[2J\nb", "name": "x", "levelname": "INFO"})

    assert logs.TextFormatter().format(record).endswith("x: a\\x1b[2J\\nb")


def test_text_lines_carry_extras_and_traceback():
    """In debug a person wants to read it."""
    try:
        raise KeyError("k")
    except KeyError:
        record = logging.makeLogRecord({"msg": "m", "exc_info": sys.exc_info(), "n": 1, "pwd": "x"})

    text = logs.TextFormatter().format(record)
    assert "m  n=1  pwd='***'" in text
    assert text.endswith("KeyError: 'k'")


def test_the_root_logger_is_set_up_when_nobody_has():
    """Flask's default handler would write every record twice, so it goes."""
    app_logger = logging.Logger("app")
    app_logger.addHandler(default_handler)
    handler = logs.SinkHandler(Memory(), logs.JsonFormatter())

    with bare_root() as root:
        assert logs.install(handler, app_logger, "INFO")
        assert root.handlers == [handler]
        assert root.level == logging.INFO
        assert app_logger.handlers == []

        logs.uninstall(handler)
        assert root.handlers == []


def test_a_program_that_set_up_logging_keeps_what_it_has():
    """logging.basicConfig and dictConfig win."""
    theirs = logging.NullHandler()
    app_logger = logging.Logger("app")
    app_logger.addHandler(default_handler)

    with bare_root() as root:
        root.addHandler(theirs)
        root.setLevel(logging.ERROR)
        handler = logs.SinkHandler(Memory(), logs.JsonFormatter())

        assert not logs.install(handler, app_logger, "INFO")
        assert root.handlers == [theirs]
        assert root.level == logging.ERROR
        assert app_logger.handlers == [default_handler]


def test_a_second_seal_leaves_one_handler():
    """Late declarations seal again; records must not double."""
    with bare_root() as root:
        for _ in range(3):
            handler = logs.SinkHandler(Memory(), logs.JsonFormatter())
            logs.install(handler, logging.Logger("app"), "INFO")

        assert root.handlers == [handler]


def test_a_full_disk_does_not_break_a_log_call():
    """The sink counts, the program goes on."""
    sink = Sink(os.open("/dev/full", os.O_WRONLY), owned=True)
    logger = logging.Logger("x")
    logger.addHandler(logs.SinkHandler(sink, logs.JsonFormatter()))

    logger.error("lost")
    sink.close()

    assert sink.lost == 1
