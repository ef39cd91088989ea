"use strict";
const at = (id) => document.getElementById(id);
const fetched = new Map();
const judged = [];  // the suspects on which this page has judged, the last at the end
let state = null, number = 0, busy = false;
const ask = async (place, body) => {
  const sent = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try { answer = await fetch(place, sent); } catch { throw new Error("The program has ended. All verdicts are saved. Start it again and open its new address to continue."); }
  const text = await answer.text();
  let content = null;
  try { content = JSON.parse(text); } catch { /* an error as text */ }
  if (!answer.ok || content === null) throw new Error(content?.error ?? text);
  return content;
};
const suspect = (wanted) => {
  if (!fetched.has(wanted)) {
    const asked = ask(`suspect/${wanted}`);
    fetched.set(wanted, asked);
    asked.catch(() => fetched.delete(wanted));
    if (fetched.size > 8) fetched.delete(fetched.keys().next().value);
  }
  return fetched.get(wanted);
};
const put = (id, text) => { at(id).textContent = text; };
const source = (element, content) => { if (content) element.src = content; else element.removeAttribute("src"); element.hidden = !content; };
const sound = (picture, audio, clip) => { source(picture, clip.picture); picture.alt = `Spectrogram of ${clip.clip}`; source(audio, clip.audio); };
const other = (clip) => {
  const card = document.createElement("div"), title = document.createElement("p"), note = document.createElement("p");
  const picture = document.createElement("img"), audio = document.createElement("audio"), label = document.createElement("b");
  card.className = "clip";
  label.textContent = clip.label;
  title.append("Label ", label, `, ${clip.clip}`);
  audio.controls = true;
  sound(picture, audio, clip);
  note.className = "note";
  note.textContent = clip.note;
  card.append(title, picture, audio, note);
  return card;
};
const button = (label, place) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label.name;
  if (label.key) { const key = document.createElement("kbd"); key.textContent = label.key; made.append(key); made.setAttribute("aria-keyshortcuts", label.key); }
  made.addEventListener("click", () => judge("wrong", place));
  return made;
};
const count = () => {
  const done = Object.keys(state.verdicts).length;
  at("progress").max = state.n_suspects;
  at("progress").value = done;
  put("who", `Reviewer ${state.reviewer}: ${done} of ${state.n_suspects} suspicious labels reviewed.`);
  put("agreement", state.agreement.join(" "));
  at("end").hidden = done < state.n_suspects;
  at("undo").disabled = done === 0;
};
const show = async (wanted) => {
  number = Math.max(0, Math.min(wanted, state.n_suspects - 1));
  const clip = await suspect(number);
  if (clip.number !== number) return;
  put("clip", clip.clip);
  put("label", clip.label);
  put("item", clip.item);
  put("reason", clip.why);
  put("note", clip.note);
  sound(at("picture"), at("audio"), clip);
  at("others").replaceChildren(...clip.others.map(other));
  at("filter").value = "";
  find();
  const verdict = state.verdicts[number];
  put("place", `Clip ${number + 1} of ${state.n_suspects}${verdict ? `, verdict: ${verdict}` : ""}.`);
  for (const made of at("verdicts").children) made.setAttribute("aria-pressed", String(made.dataset.verdict === verdict));
  [...at("labels").children].forEach((made, place) => {
    const name = state.labels[place].name;
    made.disabled = name === clip.label;
    made.classList.toggle("answer-key", name === clip.answer);
    made.setAttribute("aria-pressed", String(`wrong: ${name}` === verdict));
  });
  at("previous").disabled = number === 0;
  at("following").disabled = number === state.n_suspects - 1;
  if (number + 1 < state.n_suspects) suspect(number + 1).catch(() => {});
};
const carryOut = async (task) => {
  if (busy) { put("error", "Not saved, because the page was still saving the verdict before. Try again."); return; }
  busy = true;
  try { put("error", ""); await task(); } catch (error) { put("error", error.message); } finally { busy = false; document.body.dataset.ready = String(number); }
};
const judge = (verdict, label = null) => carryOut(async () => {
  if (label !== null && at("labels").children[label].disabled) throw new Error(`The clip already has the label ${state.labels[label].name}. Press r if it is right.`);
  state = await ask("verdict", { number, verdict, label });
  if (judged.includes(number)) judged.splice(judged.indexOf(number), 1);
  judged.push(number);
  count();
  await show(number + 1);
});
const undo = () => carryOut(async () => {
  do {
    state = await ask("undo", { number: judged.at(-1) ?? null });
    judged.pop();
  } while (state.undone === null && judged.length);  // what another window took back
  count();
  if (state.undone !== null) await show(state.undone);
});
const find = () => {
  const wanted = at("filter").value.trim().toLowerCase();
  for (const made of at("labels").children) made.hidden = !made.firstChild.textContent.toLowerCase().includes(wanted);
};
const play = () => { const audio = at("audio"); if (audio.hidden) return; if (audio.paused) { audio.currentTime = 0; audio.play().catch(() => {}); } else audio.pause(); };
at("verdicts").addEventListener("click", (event) => { const made = event.target.closest("button"); if (made) judge(made.dataset.verdict); });
at("previous").addEventListener("click", () => carryOut(() => show(number - 1)));
at("following").addEventListener("click", () => carryOut(() => show(number + 1)));
at("undo").addEventListener("click", undo);
at("filter").addEventListener("input", find);
at("filter").addEventListener("keydown", (event) => {
  if (event.key === "Escape") { at("filter").value = ""; find(); at("filter").blur(); }
  if (event.key !== "Enter") return;
  const left = [...at("labels").children].filter((made) => !made.hidden && !made.disabled);
  const exact = left.filter((made) => made.firstChild.textContent.toLowerCase() === at("filter").value.trim().toLowerCase());
  const chosen = exact.length === 1 ? exact[0] : left.length === 1 ? left[0] : null;
  if (chosen) { at("filter").blur(); chosen.click(); } else put("error", left.length ? `${left.length} labels match. Type more letters.` : `No other label contains "${at("filter").value.trim()}".`);
});
const keys = { r: () => judge("right"), u: () => judge("unsure"), b: () => judge("bad recording"), z: undo, w: () => at("filter").focus(),
  ArrowLeft: () => carryOut(() => show(number - 1)), ArrowRight: () => carryOut(() => show(number + 1)) };
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || state === null || event.target.closest("input, audio")) return;
  const label = state.labels.findIndex((known) => known.key !== "" && known.key === event.key);
  const action = event.key === " " && event.target.closest("button") === null ? play : keys[event.key] ?? (label < 0 ? null : () => judge("wrong", label));
  if (action === null || action === undefined) return;
  event.preventDefault();
  action();
});
carryOut(async () => {
  state = await ask("state");
  at("labels").replaceChildren(...state.labels.map(button));
  count();
  await show(state.next);
});
