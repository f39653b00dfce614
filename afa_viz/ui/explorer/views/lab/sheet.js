// What was answered as one page: to print, or as a file to hand in. Nothing of it is sent anywhere.

import { translateServerText } from "../../core/server_words.js";
import { tables } from "../../core/tables.js";
import { text, translateClass } from "../../core/words.js";
import { answeredRows, pointsOf, score } from "./record.js";
import { answerText, becauseText, factsOf, reasonText } from "./words.js";

const STYLE = `body{font:15px/1.45 sans-serif;max-width:46rem;margin:1.5rem auto;padding:0 1rem;color:#111;background:#fff}
h1{font-size:1.4rem;margin:0 0 .6rem}h2{font-size:1.02rem;margin:0}table{border-collapse:collapse}
.lines{display:flex;gap:1.5rem;flex-wrap:wrap;margin:.6rem 0}.lines span{border-bottom:1px solid #555;min-width:12rem;padding-right:1rem}
.afa-lab-sheet:lang(ko){word-break:keep-all}
article{break-inside:avoid;border-top:1px solid #bbb;padding:.6rem 0}p{margin:.15rem 0}.points{float:right;font-weight:700}
.afa-lab-sheet *{color:inherit}.wrong::before{content:"× "}.right::before{content:"+ "}small{color:#444}`;

function element(/** @type {string} */ tag, /** @type {string} */ words = "", /** @type {string} */ className = "") {
  return Object.assign(document.createElement(tag), { textContent: words, className });
}

/** One question with its answer. */
function article(/** @type {import("./record.js").Row} */ row) {
  const made = element("article");
  const words = { ...row.words, name: translateClass(row.words.name) };
  const { question, kind, first, verdict } = row;
  const facts = factsOf(verdict, question, kind, words);
  const possible = 1 + Number(row.asksReason);
  made.append(element("p", text("lab.sheet.points", { points: pointsOf(first), possible }), "points"),
    element("h2", text(`lab.${question}.title`)),
    element("small", text("lab.sheet.about", { image: translateServerText(row.image), name: words.name })),
    element("p", text(`lab.${question}.task`, words)),
    element("p", text("lab.sheet.answer", { words: answerText(question, kind, first.answer, words) }), first.right ? "right" : "wrong"));
  if (first.reason) {
    const given = `${becauseText(question, words)} ${reasonText(question, first.reason, words)}`;
    made.append(element("p", given, first.reasonRight ? "right" : "wrong"));
  }
  made.append(element("p", text(`lab.${question}.verdict`, facts)));
  if (!first.reasonRight && verdict.reasons.length) {
    made.append(element("p", text("lab.reason_is", { words: reasonText(question, verdict.reasons[0], words) })));
  }
  return made;
}

/** The page; `name`: of who hands it in, "" for a line to write it on. */
function sheet(/** @type {string} */ name) {
  const made = Object.assign(element("main", "", "afa-lab-sheet"), { lang: tables.language });
  const lines = element("p", "", "lines");
  const date = new Date().toLocaleDateString(tables.language, { dateStyle: "long" });
  lines.append(element("span", `${text("lab.sheet.name")} ${name}`), element("span", `${text("lab.sheet.date")} ${date}`));
  made.append(element("h1", text("lab.sheet.heading")), lines, element("p", text("lab.score", score())),
    ...answeredRows().map(article), element("small", text("lab.sheet.note")));
  return made;
}

/** Print it. It stands beside everything else on the page until that is done. */
export function printSheet(/** @type {string} */ name) {
  const made = sheet(name);
  const style = element("style", `@media screen{.afa-lab-sheet{display:none}}@media print{body>:not(.afa-lab-sheet){display:none!important}
.afa-lab-sheet{display:block}html,body{background:#fff!important;color:#111!important}${STYLE}}`);
  const done = () => { for (const part of [made, style]) part.remove(); };
  document.body.append(made);
  document.head.append(style);
  window.addEventListener("afterprint", done, { once: true });
  window.print();
}

/** Save it as one HTML file. */
export function saveSheet(/** @type {string} */ name) {
  const title = text("lab.sheet.heading");
  const page = document.implementation.createHTMLDocument(title);
  page.head.prepend(Object.assign(page.createElement("meta"), { httpEquiv: "Content-Type", content: "text/html; charset=utf-8" }));
  page.head.append(element("style", STYLE));
  page.body.append(sheet(name));
  const file = new Blob([`<!DOCTYPE html>\n${page.documentElement.outerHTML}`], { type: "text/html" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "afa-viz-lab.html" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
