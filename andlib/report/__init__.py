"""What a reader sees: tables, figures, cards, the atlas; and the export."""
