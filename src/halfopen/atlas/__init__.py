"""What people read: answer sheet, ladders, pages, made from runs and never written by hand."""
