{
  let section = null;
  const draw = () => paintField(section.querySelector("figure"), fieldOf(layer(data.cam, place())), data.size, [0, 1], { smooth: true });
  registerTab("cam", {
    build(element) {
      section = element;
      linkCell(section.querySelector("canvas"));
    },
    data: draw,
    selection: draw,
  });
}
