"""Which data set is this from, and what is a data set worth?"""
