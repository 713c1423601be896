"""Results for people: page, Markdown, charts, terminal tables, and runs side by side."""
