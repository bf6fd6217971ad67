// The page of approvals: shows what the API says, as text alone, and sends decisions with the key of this tab.
"use strict";

const API = "/verilabel/api";
const STORED = "verilabel-key";
const DECIDED = ["approved", "consumed", "denied", "expired"];
const WORDS = {
  pending: "○ Waiting", approved: "✓ Approved", consumed: "✓ Approved and used", denied: "✕ Denied", expired: "– Expired",
};
const KINDS = { request: "Request to", reply: "Reply from", tool_call: "Tool call by" };
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/u;
const KEPT = new Set(["\n", "\t", "\u200c", "\u200d"]);
const PAGE = 50;

const place = (id) => document.getElementById(id);
const cards = new Map(); // id -> {article, approval}
let view = "pending";
let skewUs = 0; // the service's clock minus this browser's
let following = null;
let generation = 0;

// -- text from outside: what cannot be seen is shown by its number, so that nothing hides or reorders ----------------

function setText(node, text, { oneLine = false } = {}) {
  node.replaceChildren();
  let plain = "";
  for (const character of text) {
    const kept = KEPT.has(character) && !(oneLine && (character === "\n" || character === "\t"));
    if (kept || !UNSEEN.test(character)) {
      plain += character;
      continue;
    }
    node.append(plain);
    plain = "";
    const mark = document.createElement("span");
    mark.className = "unshown";
    mark.textContent = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    node.append(mark);
  }
  node.append(plain);
}

function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const nowUs = () => Date.now() * 1000 + skewUs;
const written = (us) => new Date(us / 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// -- the service -----------------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(path, { body, signal } = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(STORED) ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(API + path, {
      method: body === undefined ? "GET" : "POST",
      headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit", cache: "no-store", redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "unreachable", "The gateway cannot be reached.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Refused(response.status, told.error?.code ?? "", told.error?.message ?? `The gateway answered ${response.status}.`);
}

const sentence = (error) => {
  const text = error.message || String(error);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
};

// -- signing in and out ----------------------------------------------------------------------------------------------

async function enter() {
  if (!sessionStorage.getItem(STORED)) return showSignIn("");
  try {
    const me = await (await ask("/me")).json();
    if (me.role === "user") return leave("A key of the role user decides nothing here.");
    setText(place("who"), `${me.user} · ${me.role}`, { oneLine: true });
  } catch (error) {
    return error.status === 401 ? leave("This key is not in force.") : showSignIn(sentence(error));
  }
  place("sign-in").hidden = true;
  place("session").hidden = false;
  place("desk").hidden = false;
  await show(view);
  follow();
}

function showSignIn(problem) {
  place("sign-in").hidden = false;
  place("session").hidden = true;
  place("desk").hidden = true;
  setText(place("sign-in-problem"), problem);
  place("key").focus();
}

function leave(problem) {
  sessionStorage.removeItem(STORED);
  following?.abort();
  following = null;
  clearCards();
  showSignIn(problem);
}

// -- the list --------------------------------------------------------------------------------------------------------

function clearCards() {
  cards.clear();
  place("list").replaceChildren();
}

async function show(which) {
  view = which;
  const mine = ++generation;
  for (const tab of document.querySelectorAll(".tabs button")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.view === which));
  }
  await load("", mine);
}

async function load(before, mine) {
  const states = view === "pending" ? ["pending"] : DECIDED;
  const query = new URLSearchParams([...states.map((state) => ["state", state]), ["limit", PAGE]]);
  if (before) query.set("before", before);
  let told;
  try {
    told = await (await ask(`/approvals?${query}`)).json();
  } catch (error) {
    if (error.status === 401) return leave("This key is no longer in force.");
    setText(place("problem"), sentence(error));
    return;
  }
  if (mine !== generation) return; // another list was asked for meanwhile
  skewUs = told.now_us - Date.now() * 1000;
  setText(place("problem"), "");
  if (!before) keepOnly(new Set(told.approvals.map((approval) => approval.id)));
  for (const approval of told.approvals) put(approval, { last: true });
  place("more").hidden = told.approvals.length < PAGE;
  setCount(told.open.pending);
  showNothing();
}

function keepOnly(ids) {
  for (const [id, { article }] of cards) {
    if (ids.has(id)) continue;
    article.remove();
    cards.delete(id);
  }
}

function setCount(pending) {
  place("count-pending").textContent = pending ? String(pending) : "";
  document.title = pending ? `(${pending}) Approvals · Verilabel` : "Approvals · Verilabel";
}

function showNothing() {
  place("nothing").hidden = cards.size > 0;
  place("nothing").textContent = view === "pending" ? "Nothing waits for a decision." : "Nothing has been decided yet.";
}

// -- one approval ----------------------------------------------------------------------------------------------------

function put(approval, { last = false } = {}) {
  let card = cards.get(approval.id);
  if (!card) {
    card = { article: makeCard(approval), approval };
    cards.set(approval.id, card);
    if (last) place("list").append(card.article);
    else place("list").prepend(card.article);
  }
  card.approval = approval;
  fill(card);
  return card;
}

function makeCard(approval) {
  const article = place("card").content.firstElementChild.cloneNode(true);
  const at = (name) => article.querySelector(`.${name}`);
  article.dataset.id = approval.id;
  setText(at("what"), `${KINDS[approval.kind] ?? approval.kind} ${approval.route}`, { oneLine: true });
  setText(at("asked"), `asked for by ${approval.requester}`, { oneLine: true });
  setText(at("summary"), approval.summary);
  for (const fact of ["id", "subject", "policy", "key"]) setText(at(fact), approval[fact], { oneLine: true });
  for (const reason of approval.reason) {
    const item = document.createElement("li");
    setText(item, reason, { oneLine: true });
    at("reasons").append(item);
  }
  const form = at("deciding");
  const text = form.querySelector("textarea");
  const enable = () => { for (const button of form.querySelectorAll("button")) button.disabled = !text.value.trim(); };
  text.addEventListener("input", enable);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    decide(approval.id, event.submitter?.value);
  });
  enable();
  return article;
}

function fill({ article, approval }) {
  const at = (name) => article.querySelector(`.${name}`);
  const isOpen = approval.state === "pending";
  article.dataset.state = approval.state;
  at("state").textContent = WORDS[approval.state] ?? approval.state;
  const approving = approval.votes.filter((vote) => vote.verdict === "approve").length;
  at("tally").textContent = isOpen || approving
    ? `${approving} of ${approval.quorum} ${approval.quorum === 1 ? "approval" : "approvals"}`
    : "No approvals";
  at("note").textContent = isOpen && approval.quorum - approving > 1
    ? `${approval.quorum - approving} approvals are missing; one denial denies.` : "";
  at("cast").replaceChildren(...approval.votes.map(makeVote));
  at("deciding").hidden = !isOpen || approval.objection !== null;
  at("objection").textContent = isOpen && approval.objection ? sentence(approval.objection) : "";
  showTime({ article, approval });
}

function makeVote(vote) {
  const item = document.createElement("li");
  const verdict = document.createElement("span");
  verdict.className = vote.verdict === "approve" ? "verdict" : "verdict against";
  verdict.textContent = vote.verdict === "approve" ? "✓ approves" : "✕ denies";
  const said = document.createElement("span");
  setText(said, vote.reason);
  const by = document.createElement("span");
  by.className = "by";
  setText(by, `${vote.by}, ${written(vote.at_us)}${vote.signed ? ", signed" : ""}`, { oneLine: true });
  said.append(by);
  item.append(verdict, said);
  return item;
}

function showTime({ article, approval }) {
  const passed = (nowUs() - approval.created_us) / 1e6;
  const whole = (approval.expires_us - approval.created_us) / 1e6;
  const left = whole - passed;
  const isOpen = approval.state === "pending";
  const bar = article.querySelector("progress");
  bar.hidden = !isOpen;
  bar.value = Math.min(1, Math.max(0, passed / whole));
  article.classList.toggle("soon", isOpen && left < Math.min(300, whole / 4));
  article.querySelector(".left").textContent = isOpen
    ? `held ${span(passed)} ago · ${left > 0 ? `${span(left)} left, then denied` : "time is up"}`
    : `held ${written(approval.created_us)}`;
}

async function decide(id, verdict) {
  const card = cards.get(id);
  if (!card || (verdict !== "approve" && verdict !== "deny")) return;
  const form = card.article.querySelector(".deciding");
  const text = form.querySelector("textarea");
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  setText(form.querySelector(".problem"), "");
  try {
    const decided = await (await ask(`/approvals/${encodeURIComponent(id)}/decision`, { body: { verdict, reason: text.value } })).json();
    put(decided);
    place("told").textContent = `${WORDS[decided.state]}: ${id}`;
  } catch (error) {
    if (error.status === 401) return leave("This key is no longer in force.");
    setText(form.querySelector(".problem"), sentence(error));
    if (error.status === 409) await refresh(id);
  }
  for (const button of buttons) button.disabled = !text.value.trim();
}

async function refresh(id) {
  try {
    put(await (await ask(`/approvals/${encodeURIComponent(id)}`)).json());
  } catch (error) {
    setText(place("problem"), sentence(error));
  }
}

// -- changes as they happen ------------------------------------------------------------------------------------------

async function follow() {
  following?.abort();
  const stop = (following = new AbortController());
  const live = place("live");
  while (!stop.signal.aborted) {
    try {
      const response = await ask("/approvals/stream", { signal: stop.signal });
      live.textContent = "live";
      live.classList.add("on");
      await load("", ++generation); // what changed while nobody followed
      for await (const approval of events(response.body)) heard(approval);
    } catch (error) {
      if (stop.signal.aborted) return;
      if (error.status === 401) return leave("This key is no longer in force.");
    }
    live.textContent = "connecting";
    live.classList.remove("on");
    await new Promise((wake) => setTimeout(wake, 1500));
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value;
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

let counting = null;

function heard(approval) {
  const known = cards.get(approval.id);
  const belongs = view === "pending" ? approval.state === "pending" : approval.state !== "pending";
  if (known || belongs) put(approval); // one that was just decided stays in sight until the list is asked for again
  if (!known && belongs) place("told").textContent = `${KINDS[approval.kind] ?? approval.kind} ${approval.route}: ${approval.state}`;
  showNothing();
  counting ??= setTimeout(async () => {
    counting = null;
    try {
      setCount((await (await ask("/approvals?limit=1&state=pending")).json()).open.pending);
    } catch { /* the stream says when the service is away */ }
  }, 300);
}

// -- beginning -------------------------------------------------------------------------------------------------------

place("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = place("key").value.trim();
  place("key").value = "";
  if (!/^[\x21-\x7e]+$/.test(key)) return setText(place("sign-in-problem"), "This is no key.");
  sessionStorage.setItem(STORED, key);
  enter();
});
place("sign-out").addEventListener("click", () => leave(""));
place("more").addEventListener("click", () => load(place("list").lastElementChild?.dataset.id ?? "", generation));
for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => show(tab.dataset.view));
setInterval(() => { for (const card of cards.values()) showTime(card); }, 1000);
enter();
