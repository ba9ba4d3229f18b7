"""What goes on in each terminal: intents, milestones, panes, and bringing them back."""
