"""`zdriver demo`: a Zellij is killed and comes back, in a throw-away home, compared pane by pane."""
