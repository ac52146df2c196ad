document.querySelectorAll("button[data-copy]").forEach(function (button) {
  button.addEventListener("click", function () {
    var block = button.parentNode.querySelector("pre");
    getSelection().selectAllChildren(block);
    var done = function () { button.textContent = "copied"; };
    if (navigator.clipboard) { navigator.clipboard.writeText(block.textContent).then(done, function () {}); }
    else if (document.execCommand("copy")) { done(); }
  });
});
