"""Forms of image labels: text tables, JSON, and one value per class in a `.npy` file."""

from __future__ import annotations

import numpy as np
from data_form import AB, CD, TEN, Form, hot, npy

CSV = [
    Form("a name and its classes, separated by a semicolon", {"labels.csv": "name,classes\na.jpg,cat;dog\nb.jpg,dog\n"},
         AB, classes=CD),
    Form("one column of 0 and 1 for each class; its order is that of the classes", {"labels.csv":
         "name,dog,cat\na.jpg,1,1\nb.jpg,1,0\n"}, {"a": ("dog", "cat"), "b": ("dog",)}, classes=("dog", "cat")),
    Form("no titles, as many classes as the image has", {"labels.csv": "a.jpg,cat,dog\nb.jpg,dog\n"}, AB, classes=CD),
    Form("one line for each label; an image may have several lines", {"labels.csv":
         "image,label\na.jpg,cat\nb.jpg,dog\na.jpg,dog\n"}, AB),
    Form("semicolons between columns, as spreadsheets write where the comma is the decimal sign", {"labels.csv":
         "name;classes\na.jpg;cat,dog\nb.jpg;dog\n"}, AB),
    Form("Excel's first line `sep=;`", {"labels.csv": "sep=;\nname;cat;dog\na.jpg;1;1\nb.jpg;0;1\n"}, AB, classes=CD),
    Form("tabs", {"labels.tsv": "image\tlabels\na.jpg\tcat|dog\nb.jpg\tdog\n"}, AB),
    Form("bars", {"labels.csv": "a.jpg|cat|dog\nb.jpg|dog\n"}, AB),
    Form("spaces", {"labels.txt": "a.jpg cat dog\nb.jpg dog\n", "classes.txt": "cat\ndog\n"}, AB, classes=CD),
    Form("quotes, and a space after the comma", {"labels.csv": 'name, classes\na.jpg, "cat,dog"\nb.jpg, "dog"\n'},
         AB),
    Form("single quotes", {"labels.csv": "'name','classes'\n'a.jpg','cat;dog'\n'b.jpg','dog'\n"}, AB),
    Form("true and false, yes and no, an empty cell for no", {"labels.csv":
         "name,cat,dog\na.jpg,True,yes\nb.jpg,,TRUE\n"}, AB),
    Form("a list as pandas writes it", {"labels.csv": "name,classes\na.jpg,\"['cat', 'dog']\"\nb.jpg,\"['dog']\"\n"},
         AB),
    Form("the same without quotes around it", {"labels.csv": "name,classes\na.jpg,['cat', 'dog']\nb.jpg,['dog']\n"},
         AB),
    Form("a JSON list in a cell", {"labels.csv": 'name,classes\na.jpg,"[""cat"", ""dog""]"\nb.jpg,"[""dog""]"\n'},
         AB),
    Form("a list as numpy prints it", {"labels.csv": "name,classes\na.jpg,\"['cat' 'dog']\"\nb.jpg,['dog']\n"}, AB),
    Form("pandas' column of row numbers", {"labels.csv": ",name,cat,dog\n0,a.jpg,1,1\n1,b.jpg,0,1\n"}, AB,
         classes=CD, note="numbers of the rows"),
    Form("the image in a column other than the first", {"labels.csv": "cat,dog,photo\n1,1,a.jpg\n0,1,b.jpg\n"}, AB),
    Form("columns that hold no classes", {"labels.csv":
         "filename,width,height,class,xmin\na.jpg,8,6,cat,1\na.jpg,8,6,dog,2\nb.jpg,8,6,dog,0\n"}, AB,
         note="width, height, xmin"),
    Form("one more column of numbers beside 0 and 1", {"labels.csv":
         "name,cat,dog,width\na.jpg,1,1,640\nb.jpg,0,1,480\n"}, AB, classes=CD,
         note="column width of the labels is not read"),
    Form("a class whose name has a space, with a list of classes", {"labels.csv":
         "name,classes\na.jpg,traffic light dog\nb.jpg,dog\n", "classes.txt": "dog\ntraffic light\n"}, {"a": ("dog",
         "traffic light"), "b": ("dog",)}),
    Form("a class whose name has a space, of which no part is a class elsewhere in the file", {"labels.csv":
         "name,classes\na.jpg,traffic light\nb.jpg,dog\n"}, {"a": ("traffic light",), "b": ("dog",)},
         note="a space is part of the name"),
    Form("classes separated by spaces, each of which also stands alone", {"labels.csv":
         "name,classes\na.jpg,cat dog\nb.jpg,dog\nc.jpg,cat\n"}, {**AB, "c": ("cat",)}, images=("images/a.jpg",
         "images/b.jpg", "images/c.jpg")),
    Form("names that are numbers: 2 comes before 10", {"labels.csv":
         "name,class\n" + "".join(f"{i}.jpg,{i}\n" for i in range(1, 12))}, {str(i): (str(i),) for i in range(1,
         12)}, images=TEN, classes=[str(i) for i in range(1, 12)]),
    Form("numbers of classes with a list of them: 1 is the first", {"labels.csv":
         "name,class\na.jpg,1\na.jpg,2\nb.jpg,2\n", "classes.txt": "cat\ndog\n"}, AB, classes=CD),
    Form("0 and 1 without titles, with a list of as many classes", {"labels.csv": "a.jpg,1,1\nb.jpg,0,1\n",
         "classes.txt": "cat\ndog\n"}, AB, classes=CD),
    Form("0 and 1 in one cell, with a list of as many classes",
         {"labels.csv": "name,labels\na.jpg,1 1\nb.jpg,0 1\n", "classes.txt": "cat\ndog\n"}, AB, classes=CD),
    Form("an id beside names that are numbers too",
         {"labels.csv": "id,image,cat,dog\n1,2.jpg,1,1\n2,1.jpg,0,1\n"}, {"1": ("dog",), "2": CD},
         images=("images/1.jpg", "images/2.jpg"), note="column id of the labels is not read"),
    Form("UTF-8 with a byte order mark", {"labels.csv": b"\xef\xbb\xbfname,classes\na.jpg,cat;dog\nb.jpg,dog\n"}, AB),
    Form("UTF-16 with a byte order mark", {"labels.csv":
         "name\tclasses\na.jpg\tcat;dog\nb.jpg\tdog\n".encode("utf-16")}, AB, shown="name ⇥ classes, in UTF-16"),
    Form("GB 18030 with its byte order mark", {"labels.csv":
         b"\x84\x31\x95\x33" + "name,classes\na.jpg,猫;dog\nb.jpg,dog\n".encode("gb18030")}, {"a": ("dog", "猫"), "b":
         ("dog",)}, shown="name,classes / a.jpg,猫;dog"),
    Form("one name in two Unicode forms (é as one letter, and as e with an accent)", {"labels.csv":
         "name,classes\ncafe\u0301.jpg,the\u0301;dog\nb.jpg,th\u00e9\n"}, {"caf\u00e9": ("dog", "th\u00e9"), "b":
         ("th\u00e9",)}, images=("images/caf\u00e9.jpg", "images/b.jpg")),
    Form("old Mac line ends", {"labels.csv": "name,classes\ra.jpg,cat;dog\rb.jpg,dog\r"}, AB),
    Form("comments and empty lines", {"labels.csv": "#name,classes\n\n# a comment\na.jpg,cat;dog\n\nb.jpg,dog\n"},
         AB),
    Form("a path, with backslashes, from another folder above", {"labels.csv":
         "name,classes\nD:\\data\\images\\a.jpg,cat;dog\n./images/b.jpg,dog\n"}, AB),
    Form("two images that differ in their ending alone", {"labels.csv": "name,classes\na.jpg,cat\na.png,dog\n"},
         {"a.jpg": ("cat",), "a.png": ("dog",)}, images=("images/a.jpg", "images/a.png")),
    Form("a column called background", {"labels.csv": "name,background,cat,dog\na.jpg,1,1,1\nb.jpg,1,0,1\n"}, AB,
         classes=CD, note="background"),
    Form("an image that no line names", {"labels.csv": "name,classes\na.jpg,cat;dog\n"}, {"a": ("cat", "dog")},
         note="1 image without image labels left out: b"),
    Form("a cell that is neither 0 nor 1", {"labels.csv": "name,cat,dog\na.jpg,1,1\nb.jpg,0,-1\n"},
         refused="line 3, column dog: -1; expected 0 or 1"),
    Form("255 for \"not known\"", {"labels.csv": "name,cat,dog\na.jpg,255,1\nb.jpg,0,1\n"},
         refused="column cat: 255"),
    Form("a cross for yes", {"labels.csv": "name,cat,dog\na.jpg,x,x\nb.jpg,,x\n"}, refused="column cat: x"),
    Form("probabilities", {"labels.csv": "name,cat,dog\na.jpg,0.9,1\nb.jpg,0,1\n"}, refused="column cat: 0.9"),
    Form("a whole column of -1", {"labels.csv": "name,cat,dog\na.jpg,1,-1\nb.jpg,1,-1\n"}, refused="column dog: -1"),
    Form("0 and 1 without titles or a list of classes", {"labels.csv": "a.jpg,1,0\nb.jpg,0,1\n"},
         refused="names no class"),
    Form("-1, 0, 1 and 255 without titles", {"labels.csv": "a.jpg,-1,0\nb.jpg,1,255\n"}, refused="names no class"),
    Form("one column of 0 and 1 that has no name", {"labels.csv": "a.jpg,1\nb.jpg,0\n"},
         refused="0 and 1 without a name"),
    Form("number 0 with a list of classes", {"labels.csv": "name,class\na.jpg,0\nb.jpg,1\n", "classes.txt":
         "cat\ndog\n"}, refused="0 is the background"),
    Form("a space that may stand in a name or between two", {"labels.csv":
         "name,classes\na.jpg,hot dog\nb.jpg,dog\n"}, refused="'hot dog', which may be one class or 2"),
    Form("names and numbers", {"labels.csv": "name,class\na.jpg,cat\nb.jpg,3\n"},
         refused="names or numbers, not both"),
    Form("a class that the list lacks", {"labels.csv": "name,classes\na.jpg,cta\nb.jpg,dog\n", "classes.txt":
         "cat\ndog\n"}, refused="'cta', which classes.txt lacks; the nearest is 'cat'"),
    Form("a column that the list lacks",
         {"labels.csv": "name,cat,fox\na.jpg,1,0\nb.jpg,1,0\n", "classes.txt": "cat\ndog\n"},
         refused="has a column 'fox', which classes.txt lacks"),
    Form("an image that is not there", {"labels.csv": "name,classes\na.jpg,cat\nc.jpg,dog\n"},
         refused="1 of 2 images have no file"),
    Form("two names for one image", {"labels.csv": "name,classes\na.jpg,cat\na.png,dog\n"},
         refused="a.jpg and a.png, but there is only a.jpg"),
    Form("a name that two images have", {"labels.csv": "name,classes\nx.jpg,cat\n"}, refused="may be one/x or two/x",
         images=("images/one/x.jpg", "images/two/x.jpg")),
    Form("too few cells", {"labels.csv": "name,cat,dog\na.jpg,1,1\nb.jpg,0\n"},
         refused="line 3: 2 cells; expected 3"),
    Form("GBK without a mark", {"labels.csv": "name,classes\na.jpg,大象\nb.jpg,猫\n".encode("gbk")},
         refused="it may be GBK", shown="name,classes / a.jpg,大象"),
    Form("UTF-16 without a mark", {"labels.csv": "name,classes\na.jpg,cat\nb.jpg,dog\n".encode("utf-16-le")},
         refused="as UTF-16 without a byte order mark", shown="name,classes / a.jpg,cat"),
]  # fmt: skip

JSON = [
    Form("classes by name", {"labels.json": '{"a.jpg": ["cat", "dog"], "b.jpg": "dog"}'}, AB, classes=CD),
    Form("records", {"labels.json":
         '[{"name": "a.jpg", "classes": ["cat", "dog"]}, {"name": "b.jpg", "classes": "dog"}]'}, AB),
    Form("a record for each label", {"labels.json":
         '[{"image": "a.jpg", "label": "cat"}, {"image": "a.jpg", "label": '
         '"dog"}, {"image": "b.jpg", "label": "dog"}]'}, AB),
    Form("records of 0 and 1", {"labels.json": '[{"file_name": "a.jpg", "cat": 1, "dog": 1}, {"file_name": "b.jpg", '
         '"cat": 0, "dog": 1}]'}, AB, classes=CD),
    Form("records with an id beside the name", {"labels.json":
         '[{"id": 7, "file_name": "a.jpg", "label": ["cat", "dog"]},'
         ' {"id": 8, "file_name": "b.jpg", "label": ["dog"]}]'}, AB, note="column id of the labels is not read"),
    Form("one record per line", {"labels.jsonl":
         '{"name": "a.jpg", "classes": ["cat", "dog"]}\n{"name": "b.jpg", "classes":' ' ["dog"]}\n'}, AB),
    Form("pairs", {"labels.json": '[["a.jpg", ["cat", "dog"]], ["b.jpg", "dog"]]'}, AB),
    Form("yes and no by class", {"labels.json": '{"a.jpg": {"cat": 1, "dog": 1}, "b.jpg": {"cat": 0, "dog": 1}}'},
         AB),
    Form("a record by name", {"labels.json": '{"a.jpg": {"labels": ["cat", "dog"], "width": 8}, "b.jpg": {"labels": '
         '["dog"], "width": 8}}'}, AB),
    Form("one name twice: the classes add up", {"labels.json": '{"a.jpg": "cat", "b.jpg": "dog", "a.jpg": "dog"}'},
         AB),
    Form("a list of 0 and 1 with a list of classes", {"labels.json": '{"a.jpg": [1, 1], "b.jpg": [0, 1]}',
         "classes.txt": "cat\ndog\n"}, AB, classes=CD),
    Form("numbers of classes with a list of them", {"labels.json": '{"a.jpg": [1, 2], "b.jpg": 2}', "classes.txt":
         "cat\ndog\n"}, AB, classes=CD),
    Form("a list of 0 and 1 without names", {"labels.json": '{"a.jpg": [1, 1], "b.jpg": [0, 1]}'},
         refused="expected names of classes"),
    Form("a number without a list of classes", {"labels.json": '{"a.jpg": 3, "b.jpg": 1}'},
         refused="expected names of classes"),
    Form("a list of 0 and 1 that is too short", {"labels.json": '{"a.jpg": [1, 0], "b.jpg": [0, 1]}', "classes.txt":
         "cat\ndog\nfox\nowl\n"}, refused="lists of 2 zeros and ones; expected 4"),
    Form("no value", {"labels.json": '{"a.jpg": null, "b.jpg": "dog"}'}, refused="has null for a.jpg"),
    Form("a COCO annotation", {"labels.json": '{"images": [], "annotations": [], "categories": []}'},
         refused="read the set as `coco`"),
    Form("broken JSON", {"labels.json": '{"a.jpg": '}, refused="cannot be read"),
]  # fmt: skip

NPY = [
    Form("AFA's, ToCo's and SEAM's file: one value per class by name", {"cls_labels_onehot.npy": npy({"a": hot(1, 1),
         "b": hot(0, 1)}), "classes.txt": "cat\ndog\n"}, AB, classes=CD, shown="{'a': [1, 1], 'b': [0, 1]}"),
    Form("names with their ending, as in MCTformer's", {"cls_labels.npy": npy({"a.jpg": hot(1, 1), "b.jpg": hot(0,
         1)}), "classes.txt": "cat\ndog\n"}, AB, shown="{'a.jpg': [1, 1], 'b.jpg': [0, 1]}"),
    Form("IRN's: numbers for names, 2007_000032 as 2007000032", {"cls_labels.npy": npy({np.int32(2007000032): hot(1,
         1), np.int32(2008000001): hot(0, 1)}), "classes.txt": "cat\ndog\n"}, {"2007_000032": ("cat", "dog"),
         "2008_000001": ("dog",)}, images=("images/2007_000032.jpg", "images/2008_000001.jpg"),
         shown="{2007000032: [1, 1], 2008000001: [0, 1]}"),
    Form("a value for the background first", {"cls_labels_onehot.npy": npy({"a": hot(1, 1, 1), "b": hot(1, 0, 1)}),
         "classes.txt": "cat\ndog\n"}, AB, shown="{'a': [1, 1, 1], 'b': [1, 0, 1]}"),
    Form("booleans and lists", {"cls_labels.npy": npy({"a": [True, True], "b": [0, 1]}), "classes.txt":
         "cat\ndog\n"}, AB, shown="{'a': [True, True], 'b': [0, 1]}"),
    Form("an image that the file lacks", {"cls_labels.npy": npy({"a": hot(1, 1)}), "classes.txt": "cat\ndog\n"},
         {"a": ("cat", "dog")}, note="1 image without image labels left out: b", shown="{'a': [1, 1]}"),
    Form("255 among the values", {"cls_labels.npy": npy({"a": hot(1, 255), "b": hot(0, 1)}), "classes.txt":
         "cat\ndog\n"}, refused="has 255 for a", shown="{'a': [1, 255], 'b': [0, 1]}"),
    Form("-1 among the values", {"cls_labels.npy": npy({"a": hot(1, 0), "b": hot(-1, 1)}), "classes.txt":
         "cat\ndog\n"}, refused="has -1 for b", shown="{'a': [1, 0], 'b': [-1, 1]}"),
    Form("another number of values", {"cls_labels.npy": npy({"a": hot(1, 0, 0, 0), "b": hot(0, 0, 0, 1)}),
         "classes.txt": "cat\ndog\n"}, refused="has 4 values per image; expected 2", shown="{'a': [1, 0, 0, 0], …}"),
    Form("no list of classes", {"cls_labels.npy": npy({"a": hot(1, 0), "b": hot(0, 1)})},
         refused="does not name its classes", shown="{'a': [1, 0], 'b': [0, 1]}"),
    Form("an array without names", {"cls_labels.npy": npy(np.eye(2)), "classes.txt": "cat\ndog\n"},
         refused="not a dictionary of arrays", shown="[[1, 0], [0, 1]]"),
]  # fmt: skip
