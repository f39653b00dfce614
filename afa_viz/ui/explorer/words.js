// The language: that of the address (?lang=ko), else the first of the browser's that there is, else English.

const LANGUAGES = ["en", ...Object.keys(tables.languages)];
const language = [new URLSearchParams(window.location.search).get("lang"), ...navigator.languages]
  .map((code) => (code ?? "").slice(0, 2).toLowerCase()).find((code) => LANGUAGES.includes(code)) ?? "en";

const ENGLISH = tables.texts;

/** Put the language in the place of the English in which the page came; what it lacks stays. */
function translate() {
  const english = tables.texts["language.name"];
  const names = { ...Object.fromEntries(LANGUAGES.map((code) => [code, tables.languages[code]?.["language.name"]])), en: english };
  tables.texts = { ...tables.texts, ...tables.languages[language] };
  root.lang = language;
  const switches = LANGUAGES.filter((code) => code !== language).map((code) => {
    const link = Object.assign(document.createElement("a"), { lang: code, hreflang: code, textContent: names[code] });
    link.href = `?lang=${code}`;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const query = new URLSearchParams(window.location.search); // what is shown now
      query.set("lang", code);
      window.location.search = query.toString();
    });
    return link;
  });
  $('[data-list="languages"]').replaceChildren(...switches);
  if (language === "en") return;
  const own = tables.languages[language];
  for (const e of [...$$("*"), ...document.querySelectorAll("#afa-head [data-words]")]) {
    for (const { name, value } of [...e.attributes]) {
      if (!name.startsWith("data-words") || own[value] == null) continue;
      if (name !== "data-words") e.setAttribute(name.slice("data-words-".length), own[value]);
      else if (/(_html|equation)$/.test(value)) e.innerHTML = own[value]; // our own file
      else e.textContent = own[value];
    }
  }
}
translate();

/** Korean particles agree with the sound before them: 말이(가) -> 말이, 소을(를) -> 소를. Where that is no Korean letter,
 * no number and no %, both stay. */
function withParticles(words) {
  const said = { 0: 21, 1: 8, 3: 16, 6: 1, 7: 8, 8: 8 }; // the last consonant of a digit as it is spoken; others have none
  const last = (letter) => {
    if (/[가-힣]/.test(letter)) return (letter.charCodeAt(0) - 0xac00) % 28;
    return /[0-9%]/.test(letter) ? said[letter] ?? 0 : null;
  };
  return words.replace(/(.)(?:(이|을|은|과)\((가|를|는|와)\)|\(으\)로)/g, (both, letter, closed, open) => {
    const sound = last(letter);
    if (sound == null) return both;
    if (!closed) return letter + (sound && sound !== 8 ? "으로" : "로"); // 8: ㄹ
    return letter + (sound ? closed : open);
  });
}
