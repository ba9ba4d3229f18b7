"""Work for agents: what was assigned to them from elsewhere, and who has taken which."""
