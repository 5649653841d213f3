// Try it: sends what is filled into a form of the reference, as who is signed in, and shows
// the answer. Same origin only; nothing is kept. Without this script the page is complete.
"use strict";
for (const form of document.querySelectorAll("form[data-try]")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

async function send(form) {
  const method = form.dataset.try;
  const { url, headers } = address(form);
  const body = form.querySelector("[data-in=body]");
  const request = { method, headers, credentials: "same-origin" };
  if (body) {
    headers["Content-Type"] = form.dataset.media;
    request.body = body.value;
  }
  const place = form.parentElement.querySelector("[data-answer]");
  const curl = form.parentElement.querySelector("[data-curl]");
  curl.textContent = asCurl(method, url, headers, request.body);
  const started = performance.now();
  try {
    const answer = await fetch(url, request);
    const text = await answer.text();
    const ms = Math.round(performance.now() - started);
    show(place, answer, ms, text);
  } catch (error) {
    place.replaceChildren(line("bad", "No answer", String(error.message)));
  }
}

function address(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = { Accept: "application/json" };
  for (const field of form.querySelectorAll("[data-in]")) {
    const value = field.value;
    const where = field.dataset.in;
    if (where === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    else if (value !== "" && where === "query") query.append(field.name, value);
    else if (value !== "" && where === "header") headers[field.name] = value;
  }
  const asked = query.toString();
  return { url: asked ? `${path}?${asked}` : path, headers };
}

function show(place, answer, ms, text) {
  const tag = answer.headers.get("ETag");
  const said = `${ms} ms, ${text.length} characters${tag ? `, ETag ${tag}` : ""}`;
  const pre = document.createElement("pre");
  pre.className = "code";
  pre.tabIndex = 0;
  pre.setAttribute("aria-label", "Answer");
  pre.textContent = pretty(text);
  const tone = answer.ok ? "good" : "bad";
  place.replaceChildren(line(tone, String(answer.status), said), pre);
}

function line(tone, word, said) {
  const made = document.createElement("p");
  made.className = "row";
  const badge = document.createElement("span");
  badge.className = `badge ${tone}`;
  badge.textContent = word;
  const small = document.createElement("small");
  small.textContent = said;
  made.append(badge, small);
  return made;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function asCurl(method, url, headers, body) {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const parts = ["curl"];
  if (method !== "GET") parts.push("-X", method);
  parts.push(quoted(new URL(url, location.href).href));
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quoted(`${name}: ${value}`));
  if (body) parts.push("-d", quoted(body));
  return parts.join(" ");
}
