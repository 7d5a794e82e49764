from hypothesis import settings

# Other work on the machine must not fail a test.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
