"""Every form in which labels, classes, splits and masks may come, and what must come of it: the table behind
`test_data_forms.py` and `docs/data_sets.md`."""

from __future__ import annotations

from data_form import Form, mask, npy
from label_forms import CSV, JSON, NPY
from layout_forms import COCO, SPLITS, VOC, coco
from mask_forms import CLASS_LISTS, MASKS

GROUPS: dict[str, list[Form]] = {
    "Label tables (`labels.csv`, `.tsv`, `.txt`)": CSV,
    "JSON labels (`labels.json`, `.jsonl`)": JSON,
    "One value per class (`cls_labels_onehot.npy`, `cls_labels.npy`)": NPY,
    "Lists of classes": CLASS_LISTS,
    "Masks": MASKS,
    "Splits and folders": SPLITS,
    "VOC's layout (`voc`)": VOC,
    "COCO's format (`coco`)": COCO,
}
FORMS = [form for group in GROUPS.values() for form in group]

TWELVE = range(12)
EXAMPLES = {  # whole sets by the name of their folder, on which `data check` is shown
    "cracks": Form(
        "a folder of binary masks",
        {
            "classes.txt": "crack\n",
            **{f"masks/{i}.png": mask(*[255] * (i % 3)) for i in TWELVE},
            "masks/99.png": mask(0),
            "README.txt": "Photographs of a wall.\n",
        },
        images=[f"images/{i}.jpg" for i in TWELVE],
    ),
    "street": Form(
        "a set in COCO's format with its own names",
        {
            "annotations/instances_train.json": coco(
                [(f"n{i}", f"cam{i % 2}/{i:06d}.jpg") for i in range(8)],
                [
                    *({"image_id": f"n{i}", "category_id": 1 + i % 2} for i in range(7)),
                    {"image_id": "n0", "category_id": 2, "segmentation": []},
                    {"image_id": "n99"},
                ],
            ),
            "annotations/instances_val.json": coco(
                [(1, "cam0/000008.jpg"), (2, "cam1/000009.jpg")], [{"image_id": 1}, {"image_id": 2, "category_id": 2}]
            ),
        },
        images=[f"photos/cam{i % 2}/{i:06d}.jpg" for i in range(10)],
        kind="coco",
    ),
    "animals": Form(
        "labelme's export",
        {
            "class_names.txt": "__ignore__\n_background_\ncat\ndog",
            **{f"SegmentationClass/{i}.png": mask(0, 1 + i % 2, 255, mode="P") for i in TWELVE},
            **{f"SegmentationClassNpy/{i}.npy": npy([0]) for i in TWELVE},
            **{f"SegmentationClassVisualization/{i}.jpg": mask(1) for i in TWELVE},
        },
        images=[f"JPEGImages/{i}.jpg" for i in TWELVE],
    ),
}
