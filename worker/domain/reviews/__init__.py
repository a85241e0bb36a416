"""Reviews: due dates, who answers for a page, and which notices are owed."""
