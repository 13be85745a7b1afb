"""A person's chest in millimetres: bones as breakable tubes, soft parts as closed surfaces."""
