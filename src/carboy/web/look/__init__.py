"""The look: templates, style sheet, htmx and small scripts, served for ever by their hash."""
