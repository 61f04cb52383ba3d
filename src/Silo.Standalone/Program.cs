// Grows with the issue that this commit begins.
return 0;
