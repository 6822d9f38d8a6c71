"""English: what may leave as data, and why the rest may not."""

TEXT = {
    "left_out": "Of the {count} approved texts that stayed (each may lack several things):",
    "missing_consent": "the help-seeker has not agreed to training",
    "missing_deidentified": "nobody has checked that no one is named",
    "missing_unread": "the post has not been read for signals of danger",
    "missing_second_signature": "the post speaks of danger, and no second person has signed",
    "missing_filtered": "left out by the filters",
    "missing_no_pair": "nothing to compare it with: the draft was not changed enough, and nothing was rejected",
    "left_out_line": "  {count}  {reason}",
}
