"""The review sweep, people's answers, and what shows the reviews to come."""
