"""Every form of labels, classes, splits and masks is read as what it is, or gets its sentence; nothing is silent."""

from __future__ import annotations

import numpy as np
import pytest
from data_form import Form
from data_forms import FORMS

from afa_viz.data.registry import open_images


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.kind}: {form.given}"[:80])
def test_a_form_is_read_right_or_gets_its_sentence(form: Form, tmp_path):
    form.write(tmp_path)
    if form.labels is None:
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            images = open_images(form.kind, tmp_path, form.split, form.source)
            [images.mask(i) for i in range(len(images))]
        sentence = str(caught.value)
        assert form.refused in sentence, sentence
        assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 500, sentence
        return
    images = open_images(form.kind, tmp_path, form.split, form.source)
    found = {
        name: sorted(images.class_names[i + 1] for i in np.flatnonzero(row))
        for name, row in zip(images.names, images.labels, strict=True)
    }
    assert found == {name: sorted(classes) for name, classes in form.labels.items()}
    if form.classes:
        assert images.class_names == ("background", *form.classes)
    for name, values in form.masks.items():
        mask = images.mask(images.names.index(name))
        assert mask.ravel()[: len(values)].tolist() == list(values)
    told = " | ".join(images.notes)
    assert form.note in told, told
    if not form.note and not form.masks:
        quiet = [note for note in images.notes if "left out" in note or "not read" in note]
        assert not quiet, f"nothing was left out: {quiet}"
