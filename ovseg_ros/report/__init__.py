"""What a run tells: page, Markdown, figures, and runs side by side."""
