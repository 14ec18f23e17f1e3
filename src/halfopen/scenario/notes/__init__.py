"""The fifty lines of the notes, one file each."""
