"""Translations: the language of a request, texts in it, and numbers and dates as it writes them."""
