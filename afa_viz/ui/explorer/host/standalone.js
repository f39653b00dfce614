// What gradio does for the app and a page of its own must do itself.

/** Dark where the visitor's system is, or where the address says so (?__theme=dark), as in the app. */
export function followTheme() {
  const asked = new URLSearchParams(window.location.search).get("__theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = () => document.documentElement.classList.toggle("dark", asked ? asked === "dark" : dark.matches);
  dark.addEventListener("change", set);
  set();
}
