"""A service account as Google hands it out."""

from __future__ import annotations


def service_account() -> dict[str, str]:
    """Its key file, as JSON, but for `token_uri`: where its tokens come from."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    email = "ada@project.iam.gserviceaccount.com"
    return {"type": "service_account", "client_email": email, "project_id": "project", "private_key": pem.decode()}
