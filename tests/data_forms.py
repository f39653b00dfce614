"""Every form in which labels, classes, splits and masks may come, and what must come of it: the table behind
`test_data_forms.py` and `docs/data_sets.md`."""

from __future__ import annotations

from data_form import Form
from label_forms import CSV, JSON, NPY
from layout_forms import COCO, SPLITS, VOC
from mask_forms import CLASS_LISTS, MASKS

GROUPS: dict[str, list[Form]] = {
    "Label tables (`labels.csv`, `.tsv`, `.txt`)": CSV,
    "JSON labels (`labels.json`, `.jsonl`)": JSON,
    "One value a class (`cls_labels_onehot.npy`, `cls_labels.npy`)": NPY,
    "Lists of classes": CLASS_LISTS,
    "Masks": MASKS,
    "Splits and folders": SPLITS,
    "VOC's layout (`voc`)": VOC,
    "COCO's format (`coco`)": COCO,
}
FORMS = [form for group in GROUPS.values() for form in group]
