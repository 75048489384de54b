"""The servers that Recoq is compared with, each the best that its documentation teaches, started as a user would."""
