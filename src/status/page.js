// Keeps the page up to date: asks for it again with what it has seen, and takes over what differs.
// Whatever arrives is parsed as a document of its own and runs no script.
"use strict";

const EVERY = 2000; // ms between two looks
const PATIENCE = 8000; // ms for an answer

const main = document.getElementById("main");
const lost = document.getElementById("lost");

function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 1) return "under 1 s";
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  const minutes = Math.floor((s % 3600) / 60);
  if (s < 86400) return `${Math.floor(s / 3600)} h` + (minutes ? ` ${minutes} min` : "");
  return `${Math.floor(s / 86400)} d`;
}

function age(root) {
  for (const time of root.querySelectorAll("time.ago, time.lasting")) {
    const told = span(Date.now() - Date.parse(time.dateTime) - ahead);
    const text = time.matches(".ago") ? `${told} ago` : told;
    if (time.textContent !== text) time.textContent = text;
  }
}

// This machine's clock less the server's.
let ahead = 0;

function keep(mine, fresh) {
  for (const open of mine.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
}

function replace(mine, fresh) {
  keep(mine, fresh);
  if (mine.isEqualNode(fresh)) return mine;
  const focused = mine.contains(document.activeElement) ? document.activeElement : null;
  const which = focused ? [...mine.querySelectorAll("a, summary")].indexOf(focused) : -1;
  mine.replaceWith(fresh);
  if (which >= 0) [...fresh.querySelectorAll("a, summary")][which]?.focus();
  return fresh;
}

function rows(mine, fresh) {
  const known = new Map([...mine.children].map((row) => [row.id, row]));
  let before = null;
  for (const row of [...fresh.children]) {
    const old = known.get(row.id);
    known.delete(row.id);
    const taken = document.adoptNode(row);
    const now = old ? replace(old, taken) : taken;
    if (now !== old) now.classList.add("fresh");
    const place = before ? before.nextElementSibling : mine.firstElementChild;
    if (place !== now) mine.insertBefore(now, place);
    before = now;
  }
  for (const gone of known.values()) gone.remove();
}

function take(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("main");
  if (!fresh?.dataset.seen) throw new Error("no page");
  main.dataset.seen = fresh.dataset.seen;
  document.title = page.title;
  age(fresh);
  for (const part of [...fresh.querySelectorAll("[data-part]")]) {
    const mine = document.getElementById(part.id);
    if (mine) replace(mine, document.adoptNode(part));
  }
  const table = document.getElementById("rows");
  if (table) rows(table, fresh.querySelector("#rows"));
}

function tell(trouble) {
  const text = trouble ? `no answer from nbcourier since ${new Date().toLocaleTimeString()}: what is shown may be old` : "";
  if (Boolean(trouble) === !lost.hidden) return;
  lost.textContent = text;
  lost.hidden = !trouble;
  if (trouble) document.title = `! no answer · ${document.title}`;
}

async function look() {
  try {
    const headers = { "nbcourier-seen": lost.hidden ? main.dataset.seen : "" };
    const answer = await fetch(location.href, { headers, signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status === 200) {
      ahead = Date.now() - Date.parse(answer.headers.get("date"));
      if (Math.abs(ahead) < 2000) ahead = 0; // the header has whole seconds
      take(await answer.text());
    } else if (answer.status !== 204) {
      throw new Error(answer.status);
    }
    tell(null);
  } catch (error) {
    tell(error);
  }
  age(document);
  setTimeout(look, EVERY);
}

setTimeout(look, EVERY);
