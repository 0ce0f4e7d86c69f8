"""What `lab.py` shows of each lab: tables and pictures from the functions of the student's file."""
