"""Reports: result objects as tables (terminal, CSV, Markdown, JSON) and figures (SVG, PNG)."""
