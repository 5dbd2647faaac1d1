"""From a client's file to a transcript: the media child, the model finder and Whisper itself, on real bytes."""
