"""Write docs/trust.md: what may come in and what may go wrong, from the tables that the tests run through.

PYTHONPATH=.:tests/support python tools/make_trust_page.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import fault_table
import untrusted_checkpoints
import untrusted_input
import upload_corpus
from upload_corpus import Upload

from afa_viz import image_files
from afa_viz.ui.errors import UserError
from afa_viz.ui.server.routes import MAX_BODY, MAX_VALUES, ROUTES
from afa_viz.ui.sessions.images import read_upload

OUT = Path(__file__).parents[1] / "docs" / "trust.md"
Row = Sequence[str]
WEIGHTS = "test_untrusted_checkpoints.py::test_weights_are_refused_in_one_sentence_and_nothing_runs"
CARDS = "test_untrusted_checkpoints.py::test_cards_are_refused_in_one_sentence"
PICTURES = "test_uploads.py::test_a_file_opens_right_or_gets_its_sentence"
OPEN = "test_routes.py::test_the_table_opens_these_and_no_others"
NOT_PROMISED = (
    "There is no login. Everyone who reaches an address that it answers to can use all of it. If that is too many, "
    "put it behind a server that asks for a password, and bind it to 127.0.0.1 with `--public-name`.",
    "127.0.0.1 is reached by every account and every program of the computer, not only by yours.",
    "A connection may send its headers as slowly as it likes: uvicorn sets no time limit for them. A server in front, "
    "such as nginx, does.",
    "Connections are not encrypted, except through `--share`, a Space, or a server in front that does it.",
    "With `--train`, everyone who can open the app can start and stop trainings, also those that others have started. "
    "Without it, training is on only where only this computer can open the app.",
    "With `--class-report`, everyone who knows the address that is printed at start can read the counts until "
    "the app ends; and a visitor who answers the lab repeatedly distorts them.",
    "Visitors share the processor, and none has a quota; what one request may take is bounded, see below.",
    "Photographs are kept among the temporary files and in memory while the app runs; its owner can read them.",
    "Requests are not logged, and nothing of a photograph. Errors of the program are written to its standard "
    "error, including file names of a data set (`test_any_machine.py::test_nothing_of_visitors_is_printed`).",
)
MEMORY = "test_uploads.py::test_memory_stays_bounded_and_no_file_takes_long"


def table(head: Row, rows: Iterable[Row]) -> str:
    """A table in Markdown."""
    lines = [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in (head, *rows)]
    return "\n".join(f"| {line} |" for line in (lines[0], " | ".join("---" for _ in head), *lines[1:]))


def outcome(upload: Upload, folder: Path) -> str:
    """What comes of a file: how near its pixels are, or the sentence that it gets."""
    if upload.shows is not None:
        near = "every pixel right" if upload.off == 0 else f"pixels right within {upload.off:g} of 255 on average"
        return f"explained, {near}"
    path = folder / upload.name
    path.write_bytes(upload.make())
    try:
        read_upload(path)
    except UserError as refusal:
        return f"“{refusal}”"
    raise ValueError(f"{upload.name} was read; expected a refusal: run tests/robustness/test_uploads.py.")


def pictures() -> list[str]:
    """The sections about uploads."""
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for title, group in upload_corpus.GROUPS.items():
            rows = [(f"`{upload.name}`", upload.given, outcome(upload, Path(folder))) for upload in group]
            parts += [f"### {title}", table(("file", "what it is", "what happens"), rows)]
    return parts


def weights() -> str:
    """Every file of weights that is refused."""
    gadgets = [(f"a pickle that calls {name}, as a zip, an old and a plain file", "refused; nothing is run")
               for name in untrusted_checkpoints.gadgets(Path("x"))]  # fmt: skip
    others = [(row.given, f"refused: “… {row.refused} …”")
              for row in (*untrusted_checkpoints.SAFETENSORS, *untrusted_checkpoints.UNFIT)]  # fmt: skip
    return table(("weights", "what happens"), [*gadgets, *others])


def cards() -> str:
    """Every card that is refused."""
    return table(
        ("card", "what happens"), [(row.given, f"refused: “… {row.refused} …”") for row in untrusted_checkpoints.CARDS]
    )


def code(names: Iterable[str]) -> str:
    """Names as code."""
    return ", ".join(f"`{name}`" for name in names)


def questions() -> str:
    """What is asked with anything in the place of each of its parts."""
    rows = [(f"`/{name}`", code(parts), "test_untrusted_calls.py::test_endpoints")
            for name, parts in untrusted_input.ENDPOINTS.items()]  # fmt: skip
    rows += [(f"`{name}` of the app", code(("key", *parts)),
              "test_untrusted_calls.py::test_functions_of_the_page")
             for name, parts in untrusted_input.browser_calls().items()]  # fmt: skip
    rows += [(f"event `{name}`", f"each of {len(parts)} values",
              "test_untrusted_events.py::test_events_change_the_page_or_say_one_sentence")
             for name, parts in untrusted_input.EVENTS.items()]  # fmt: skip
    return table(("request", "with any value as", "test"), [(*row[:2], f"`{row[2]}`") for row in rows])


def routes() -> str:
    """Everything that the server answers."""
    rows = [(", ".join(route.methods), f"`{route.path}`", route.clients, route.purpose) for route in ROUTES]
    return table(("methods", "path", "who may", "what for"), rows)


def page() -> str:
    """The page as text."""
    parts = [
        "# Security and faults: what is tested",
        "Written by `PYTHONPATH=.:tests/support python tools/make_trust_page.py` from the tables that the tests "
        "run through; “one sentence” is what people see instead of an error: what came, what was expected, what to "
        "do.",
        "## What it does not promise",
        "\n".join(f"- {sentence}" for sentence in NOT_PROMISED),
        "## What it answers",
        "Whole paths are compared, after decoding; all others are not found. Values of events have at most "
        f"{MAX_VALUES >> 10} KB, other requests {MAX_BODY >> 20} MB. It answers to `localhost`, to addresses of "
        "loopback, to the address that it is bound to or was reached at, and to what `--public-name`, `--share` or a "
        f"Space names. Test: `{OPEN}`.",
        routes(),
        f"## Images: {len(upload_corpus.CORPUS)} files",
        f"Each row is a case of `{PICTURES}`. `{MEMORY}` reads all of them in a separate process: no file takes more "
        f"than {upload_corpus.PEAK_MB} MB of memory for a moment. A file may have {image_files.MAX_MB} MB and, in "
        f"megapixels, {', '.join(f'{known.name} {known.megapixels}' for known in image_files.FORMATS)}; a progressive "
        f"JPEG {image_files.PROGRESSIVE_MEGAPIXELS}. `explain`, the command line and data sets have the same limits "
        "(`test_image_files.py::test_the_command_line_has_the_limits_of_uploads`).",
        *pictures(),
        "## Weights",
        f"Each row is a case of `{WEIGHTS}`.",
        weights(),
        "## Cards",
        f"Each row is a case of `{CARDS}`; any other value in any field is taken or refused: "
        "`test_untrusted_checkpoints.py::test_any_value_of_a_card_is_taken_or_refused`.",
        cards(),
        "## Requests with any values",
        "Missing, out of range, NaN, of another type, of thousands of digits or letters, paths, markup, halves of "
        "characters: the answer is correct or one sentence, no file outside is read or written, and what is sent "
        "is strict JSON. Values are made by hypothesis, the same ones every time.",
        questions(),
        "## Faults",
    ]
    for title, group in fault_table.GROUPS.items():
        rows = [(fault.given, fault.happens, f"`{fault.test}`") for fault in group]
        parts += [f"### {title}", table(("what goes wrong", "what happens", "test"), rows)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    OUT.write_text(page(), encoding="utf-8")
    print(f"wrote docs/{OUT.name}")


if __name__ == "__main__":
    main()
