"""Forms of class lists and of masks."""

from __future__ import annotations

from data_form import AB, CD, Form, blocks, mask

TWO = {"masks/a.png": mask(0, 1, 2, 255), "masks/b.png": mask(0, 2)}
CLASS_LISTS = [
    Form("one name per line; the first is number 1 in masks", {"classes.txt": "cat\ndog\n", **TWO}, AB, classes=CD,
         masks={"a": (0, 1, 2, 255)}),
    Form("background first", {"classes.txt": "background\ncat\ndog\n", **TWO}, AB, classes=CD),
    Form("labelme's class_names.txt", {"class_names.txt": "_background_\ncat\ndog", **TWO}, AB, classes=CD),
    Form("labelme's labels.txt: `__ignore__` is 255 in masks", {"labels.txt": "__ignore__\n_background_\ncat\ndog\n",
         **TWO}, AB, classes=CD, masks={"a": (0, 1, 2, 255)}),
    Form("numbered lines", {"classes.txt": "0: background\n1: cat\n2: dog\n", **TWO}, AB, classes=CD),
    Form("all in one line", {"classes.txt": "cat, dog\n", **TWO}, AB, classes=CD),
    Form("a name twice", {"classes.txt": "cat\ndog\ncat\n", **TWO}, refused="names 'cat' twice"),
    Form("background at another place", {"classes.txt": "cat\nbackground\ndog\n", **TWO},
         refused="has 'background' in line 2"),
    Form("`__ignore__` without background", {"labels.txt": "__ignore__\ncat\ndog\n", **TWO},
         refused="'__ignore__' in line 1"),
    Form("numbers with a gap", {"classes.txt": "1 cat\n7 dog\n", **TWO}, refused="without gaps"),
    Form("two lists that differ", {"classes.txt": "cat\ndog\n", "class_names.txt": "dog\ncat\n", **TWO},
         refused="name different classes"),
    Form("one column of the labels twice", {"labels.csv": "name,cat,cat\na.jpg,1,0\nb.jpg,0,1\n"},
         refused="one title for each class"),
]  # fmt: skip

RED, GREEN, CREAM = (200, 30, 30), (30, 200, 30), (224, 224, 192)
TABLE = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:200,30,30::\ndog:30,200,30::\n"
TWO_RGB = {"masks/a.png": mask(0, 1, 2, mode="RGB", colours=((0, 0, 0), RED, GREEN)),
           "masks/b.png": mask(0, 2, mode="RGB", colours=((0, 0, 0), RED, GREEN))}  # fmt: skip
ONE = {"classes.txt": "cat\n"}
MASKS = [
    Form("palette PNG of class indices", {"classes.txt": "cat\ndog\n", "masks/a.png": mask(0, 1, 2, 255, mode="P"),
         "masks/b.png": mask(0, 2, mode="P")}, AB, masks={"a": (0, 1, 2, 255), "b": (0, 2)}),
    Form("grey PNG, BMP, TIFF or GIF of class indices", {"classes.txt": "cat\ndog\n", "masks/a.bmp": mask(0, 1, 2,
         ending="BMP"), "masks/b.tif": mask(0, 2, ending="TIFF")}, AB, masks={"a": (0, 1, 2)}),
    Form("0 and 255 with one class: 255 is the class", {**ONE, "masks/a.png": mask(0, 255, 255), "masks/b.png":
         mask(0)}, {"a": ("cat",), "b": ()}, masks={"a": (0, 1, 1), "b": (0, 0, 0)}),
    Form("black and white in colour", {**ONE, "masks/a.png": mask(0, 1, mode="RGB", colours=((0, 0, 0), (255, 255,
         255))), "masks/b.png": mask(0)}, {"a": ("cat",), "b": ()}, masks={"a": (0, 1)}),
    Form("one bit per pixel", {**ONE, "masks/a.png": mask(0, 255, mode="1"), "masks/b.png": mask(0, mode="1")}, {"a":
         ("cat",), "b": ()}, masks={"a": (0, 1)}),
    Form("black and white JPEG: threshold at 128", {**ONE, "masks/a.jpg": blocks(255), "masks/b.jpg": blocks(0)}, {"a":
         ("cat",), "b": ()}, masks={"a": (1, 1, 1, 1)}),
    Form("0, 1 and 255 with one class: 255 is ignored", {**ONE, "masks/a.png": mask(0, 255, 1), "masks/b.png":
         mask(0)}, {"a": ("cat",), "b": ()}, masks={"a": (0, 255, 1)}),
    Form("colours of VOC's palette", {"classes.txt": "cat\ndog\n", "masks/a.png":mask(0, 1, 2, 3, mode="RGB",
         colours=((0, 0, 0), (128, 0, 0), (0, 128, 0), CREAM)), "masks/b.png": mask(0, 2, mode="RGB", colours=((0, 0,
         0), RED, (0, 128, 0)))}, AB, masks={"a": (0, 1, 2, 255), "b": (0, 2)}),
    Form("colours of CVAT's labelmap.txt", {"labelmap.txt": TABLE, **TWO_RGB}, AB, classes=CD, masks={"a": (0, 1,
         2)}),
    Form("background in another colour, and last in the table",
         {"labelmap.txt":"cat:200,30,30::\ndog:30,200,30::\nbackground:9,9,9::\n", "masks/a.png": mask(0, 1, 2,
         mode="RGB", colours=((9, 9, 9), RED, GREEN)), "masks/b.png": mask(0, 2, mode="RGB", colours=((9, 9, 9), RED,
         GREEN))}, AB, classes=CD, masks={"a": (0, 1, 2)}),
    Form("CamVid's label_colors.txt", {"label_colors.txt": "0 0 0 background\n200 30 30\tcat\n30 200 30\tdog\n",
         **TWO_RGB}, AB, classes=CD),
    Form("class_dict.csv", {"class_dict.csv": "name,r,g,b\nbackground,0,0,0\ncat,200,30,30\ndog,30,200,30\n",
         **TWO_RGB}, AB, classes=CD),
    Form("colours after a #", {"classes.txt": "cat #c81e1e\ndog #1ec81e\n", **TWO_RGB}, AB, classes=CD),
    Form("a palette PNG whose palette has the table's colours in another order", {"labelmap.txt": TABLE,
         "masks/a.png":mask(2, 0, 1, mode="P", colours=(GREEN, (0, 0, 0), RED)), "masks/b.png": mask(0, 0, mode="P",
         colours=(GREEN, RED))}, AB, masks={"a": (1, 2, 0)}),
    Form("`_mask` after the name", {"classes.txt": "cat\ndog\n", "masks/a_mask.png": mask(0, 1, 2),
         "masks/b_mask.png": mask(2)}, AB, masks={"a": (0, 1, 2)}),
    Form("masks without an image, and other files", {"classes.txt": "cat\ndog\n", **TWO, "masks/z.png": mask(1),
         "masks/notes.txt": "x"}, AB, note="1 mask in masks without an image of that name: z.png"),
    Form("no list of classes: the order of the labels, if the numbers agree with them", {"labels.csv":
         "name,cat,dog\na.jpg,1,1\nb.jpg,0,1\n", **TWO}, AB, note="taken as 1 cat, 2 dog"),
    Form("masks whose names differ from those of the images", {"classes.txt": "cat\n", "masks/x-label.png": mask(1)},
         refused="1 mask in masks without an image of that name: x-label.png"),
    Form("no list of classes, and numbers that do not agree", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n",
         **TWO}, refused="do not agree with the image labels"),
    Form("colours without a name", {"classes.txt": "cat\ndog\n", **TWO_RGB},
         refused="write them into labelmap.txt"),
    Form("a colour that the table lacks", {"labelmap.txt": TABLE.replace("30,200,30", "1,2,3"), **TWO_RGB},
         refused="(30, 200, 30); expected the colours of labelmap.txt"),
    Form("numbers beyond the classes", {"classes.txt": "cat\ndog\n", "masks/a.png": mask(0, 7), "masks/b.png":
         mask(1)}, refused="holds 7; expected 0 to 2"),
    Form("0, 255 and 1 mixed between files of one class", {**ONE, "masks/a.png": mask(0, 255), "masks/b.png": mask(0,
         90)}, refused="holds 90"),
    Form("JPEG of class indices", {"classes.txt": "cat\ndog\n", "masks/a.jpg": blocks(200), "masks/b.jpg":
         blocks(100)}, refused="is a JPEG"),
    Form("a broken file", {"classes.txt": "cat\ndog\n", "masks/a.png": mask(1)[:40], "masks/b.png": mask(2)},
         refused="cannot be read"),
]  # fmt: skip
