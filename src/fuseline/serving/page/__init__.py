"""The pages that a server shows at `/` and `/chat`: their files, which nothing but a browser runs.

`index.html` is the frame, `page.css` the looks. Of the scripts `main.js` joins the parts: `form.js`
builds the fields that the model's facts name, `server.js` asks the routes, `curl.js` writes the
command that asks the same, `answer.js` shows an answer by its task's kind, `dom.js` makes elements,
of text alone. The page of conversations is `chat.html` with `chat.css` and `chat.js`.
"""
