"""What the pages of the book compute: one module a page, a few steps each."""
