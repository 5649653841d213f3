"""Forms: what a control needs, what was posted, and the pages that show both."""
