"""The desk in the browser. The only package that imports gradio."""

from app.web import environment as environment
