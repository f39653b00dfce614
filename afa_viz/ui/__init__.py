"""The app: sessions and payloads, the explorer in the browser, and the gradio components that connect them."""
