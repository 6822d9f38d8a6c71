"""Safety of posts and drafts: pure functions over text, plus dated data files. Standard library only."""
