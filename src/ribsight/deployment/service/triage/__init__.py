"""What readers do at the service: a worklist, films with their marks, reviews, what is learned.

`router.py` answers the page in `static/`; a review is kept as it was saved (`reviews.py`), and
`feedback.py` turns the latest of each reader into regions and readings of the next cohort.
"""
