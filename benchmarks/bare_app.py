"""The smallest gradio app, beside which `start.py` measures ours. Run: python benchmarks/bare_app.py --port PORT"""

from __future__ import annotations

import sys

import gradio as gr

if __name__ == "__main__":
    with gr.Blocks(analytics_enabled=False) as demo:
        gr.HTML("<h1>bare</h1>")
    demo.launch(server_name="127.0.0.1", server_port=int(sys.argv[2]), quiet=True, ssr_mode=False)
