// Few rules: what is wrong, not what is a matter of taste.

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**", "!afa_viz/", "!afa_viz/ui/", "!afa_viz/ui/explorer/", "!afa_viz/ui/explorer/**", "!tests/", "!tests/js/", "!tests/js/**"] },
  js.configs.recommended,
  {
    languageOptions: { globals: globals.browser },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
      "no-shadow-restricted-names": "error",
      "no-console": ["error", { allow: ["warn", "info"] }],
      "no-alert": "off", // window.prompt: no clipboard without https
    },
  },
  { files: ["tests/js/**"], languageOptions: { globals: globals.node } },
  {
    files: ["afa_viz/ui/explorer/method/**"], // pure: no page in sight
    languageOptions: { globals: Object.fromEntries(Object.keys(globals.browser).map((name) => [name, "off"])) },
    rules: { "no-restricted-imports": ["error", { patterns: ["../*"] }] },
  },
];
