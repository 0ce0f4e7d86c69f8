"""What people and gradebooks read of a grading, and of a class of them."""
