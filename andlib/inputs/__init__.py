"""What users give: folders of recordings, caption files, archives; checked before anything is made of them."""
