"use strict";
const $ = id => document.getElementById(id);
let token = "", known = null, shown = "", asked = 0;

// ask sends a request to this server, with the token where there is one.
async function ask(path, options = {}) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) {
    $("access").hidden = false;
    throw new Error("This server asks for a token.");
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

const number = v => Number(v).toPrecision(6);

function fill(table, rows, headed) {
  const body = table.tBodies[0];
  body.replaceChildren(...rows.map(cells => {
    const row = document.createElement("tr");
    cells.forEach((text, i) => {
      const cell = document.createElement(i === 0 && headed ? "th" : "td");
      if (i === 0 && headed) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  }));
  table.hidden = rows.length === 0;
}

function say(text, kind) {
  $("verdict").textContent = text;
  $("verdict").className = kind;
}

async function describe() {
  try {
    known = await ask("v1/model");
  } catch (e) {
    $("model").textContent = e.message;
    return;
  }
  $("access").hidden = true;
  const judged = known.alpha !== undefined ? `calibrated for ${100 * known.alpha} % false alarms`
    : known.threshold !== null ? `threshold ${number(known.threshold)}` : "without a threshold";
  $("model").textContent = `${known.name}: ${known.method} on ${known.network}, ${known.classes} classes, ${judged}; version ${known.version}.`;
  document.querySelectorAll(".name").forEach(e => { e.textContent = known.name; });
}

async function score(file) {
  const mine = ++asked;
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(file);
  $("picture").src = shown;
  $("picture").alt = file.name;
  $("picture").hidden = false;
  fill($("facts"), []);
  fill($("neurons"), []);
  say("Scoring…", "");
  let result;
  try {
    result = (await ask("v1/score?neurons=10", { method: "POST", body: file })).results[0];
  } catch (e) {
    if (mine === asked) say(e.message, "error");
    return;
  }
  if (mine !== asked) return; // another picture has been chosen meanwhile
  if (result.ood === null) say("Scored; the detector has no threshold", "");
  else say(result.ood ? "Out of distribution" : "In distribution", result.ood ? "out" : "in");
  const rows = [["Score", number(result.score)], ["Predicted class", result.prediction_name ? `${result.prediction_name} (${result.prediction})` : result.prediction]];
  if (result.p_value !== undefined) rows.push(["p-value", number(result.p_value)]);
  if (known && known.alpha !== undefined) rows.push(["Out at or below", known.alpha]);
  else if (known && known.threshold !== null) rows.push(["Threshold", number(known.threshold)]);
  fill($("facts"), rows, true);
  fill($("neurons"), (result.neurons || []).map(n => [n.index, number(n.contribution)]));
}

$("file").addEventListener("change", e => { if (e.target.files.length) score(e.target.files[0]); });
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, e => {
    e.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && e.dataTransfer.files.length) score(e.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", e => { if (e.clipboardData.files.length) score(e.clipboardData.files[0]); });
$("access").addEventListener("submit", e => {
  e.preventDefault();
  token = $("token").value.trim();
  describe();
});
document.querySelectorAll(".origin").forEach(e => { e.textContent = location.origin; });
describe();
