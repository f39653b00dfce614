"""The page: sessions and payloads without gradio, the linked explorer for the browser, and the gradio wiring."""
