"""Options that commands share: one flag, one meaning, declared once."""
