"""Files that users upload, read into drafts."""
