from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Author',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('full_name', models.CharField(max_length=200)),
                ('short_name', models.CharField(max_length=60)),
                ('email', models.EmailField(blank=True, max_length=254)),
            ],
            options={
                'ordering': ('full_name', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='Book',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=200)),
                ('slug', models.SlugField(allow_unicode=True, error_messages={'unique': 'Another book has this slug already.'}, max_length=200, unique=True)),
                ('content', models.TextField(blank=True)),
                ('status', models.CharField(choices=[('Drafted', 'Drafted'), ('Published', 'Published')], default='Drafted', max_length=20)),
                ('author_id', models.PositiveIntegerField(blank=True, db_index=True, null=True)),
            ],
            options={
                'ordering': ('title', 'pk'),
            },
        ),
    ]
