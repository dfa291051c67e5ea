"""Result folders: what is handed to others, and how it is verified."""
