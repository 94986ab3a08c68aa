// Sends the form of a page that has nothing to ask. It is written for the oldest browser there is.
"use strict";

var form = document.getElementById("form-post");
if (form) form.submit();
